// Package rpc is where masters and workers meet: the messages (doradov1), and streams that carry them.
//
// A stream is ordered, reliable while it lasts, and full duplex. It is made of frames: a 4-byte big-endian length, then
// one protobuf message (MasterFrame from the master, WorkerFrame from the worker), at most MaxFrame bytes. Before the
// first frame both sides prove that they know the cluster secret (HMAC-SHA-256 over two nonces), so a stranger learns
// nothing and is heard by nobody. Two implementations exist, TCP (optionally TLS) and in-process, and pass one suite.
//
// What a stream does not give is certainty about the last frames before it broke; the contract in dorado.proto says how
// both sides repeat themselves afterwards.
package rpc
