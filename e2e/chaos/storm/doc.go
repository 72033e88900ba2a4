// Package storm runs a whole cluster of real processes, gives it work, and breaks it: processes are killed, frozen and
// stopped, links between each two of them are cut, one way or both, delayed and reset, ZooKeeper loses its leader or its
// majority, PostgreSQL is killed, disks fill up and hang, clocks jump. What came of it is judged by package check.
//
// # Links
//
// Every connection between two processes goes through a gate (gate.go), a proxy of our own: each process has its own gate
// to each ZooKeeper server, each master its own to the database. Workers reach a master by one address, so there one gate
// tells them apart by the process that holds the other end of a connection. A cut link swallows nothing: bytes wait, as
// they do in the kernel of a machine whose cable is out, and go on when it is healed. Nobody is told of the cut.
//
// # Faults
//
// A plan is drawn from a seed before anything starts and depends on nothing else, so a seed replays the same faults at the
// same times. What the cluster makes of them depends on the machine. A fault that cannot be done when its time comes, such
// as killing what is already dead, is noted as void.
//
// # What cannot be done
//
//   - The clock of the whole machine is not touched. A clock jumps in one process at a time: its vDSO is patched to add an
//     offset to CLOCK_REALTIME (clock_linux_amd64.go), which is where a Go program reads the time. This needs root (or the
//     same user and ptrace allowed) and amd64. The monotonic clock stays right, as it does on a machine whose time is set.
//   - A slow disk is a file system that is frozen for a while (FIFREEZE) below a worker: every write and fsync hangs. That
//     and the full disk need root, loop devices and mkfs.ext4; elsewhere these faults are left out, and the report says so.
package storm
