package dataquality

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/big"
)

// mostKeys bounds how many different rows of a target are kept in memory, at some 40 bytes each.
const mostKeys = 5_000_000

// digest is what stays of the values of a row. Two hashes make it unlikely enough that different rows have the same: at five
// million rows, less than one in ten to the 25th.
type digest [2]uint64

// hasher makes digests.
type hasher [2]maphash.Seed

func newHasher() hasher { return hasher{maphash.MakeSeed(), maphash.MakeSeed()} }

func (h hasher) of(row []any) digest {
	var out digest
	for i, seed := range h {
		var m maphash.Hash
		m.SetSeed(seed)
		for _, v := range row {
			text := cell(v)
			fmt.Fprintf(&m, "%d:", len(text)) // else ("a", "bc") were ("ab", "c")
			_, _ = m.WriteString(text)        // it never fails
		}
		out[i] = m.Sum64()
	}
	return out
}

// compare finds rows of a source without a partner in a target that is somewhere else: the values of the target are read and
// kept as digests, then those of the source are looked up.
func compare(ctx context.Context, p params, source, target *connection, most int, shown *sample) (*big.Rat, error) {
	var here, there []string
	for _, m := range p.mapping {
		if m.Operator != "=" {
			return nil, errors.New("tables in different places are compared by = only")
		}
		here, there = append(here, m.Source), append(there, m.Target)
	}
	h, known := newHasher(), map[digest]struct{}{}
	statement := target.keys(target.source.Plugin, p.target, there)
	fmt.Fprintf(target.log, "%s: %s\n", target.source.Name, statement)
	err := target.query(ctx, statement, func(_ []string, row []any) bool {
		known[h.of(row)] = struct{}{}
		return len(known) <= most
	})
	if err != nil {
		return nil, err
	}
	if len(known) > most {
		return nil, fmt.Errorf("the target has more than %d different rows, which is too much to compare them with another place; narrow it by a filter", most)
	}
	statement = source.keys(source.source.Plugin, p.source, here)
	fmt.Fprintf(source.log, "%s: %s\n", source.source.Name, statement)
	missing := int64(0)
	err = source.query(ctx, statement, func(_ []string, row []any) bool {
		if _, ok := known[h.of(row)]; !ok {
			missing++
			shown.add(here, row)
		}
		return true
	})
	return new(big.Rat).SetInt64(missing), err
}
