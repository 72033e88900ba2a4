package hive2

import (
	"database/sql/driver"
	"errors"

	hs "github.com/beltran/gohive/hiveserver"
)

// cells are the values of one column.
type cells struct {
	nulls []byte
	value func(i int) driver.Value
}

func (c cells) at(i int) driver.Value {
	if i/8 < len(c.nulls) && c.nulls[i/8]&(1<<(i%8)) != 0 {
		return nil
	}
	return c.value(i)
}

// columns reads a portion; all columns must have as many values.
func columns(list []*hs.TColumn, want int) ([]cells, int, error) {
	if len(list) == 0 {
		return nil, 0, nil // an empty portion may come without columns
	}
	if len(list) != want {
		return nil, 0, errors.New("the server sends another number of columns than it has named")
	}
	out, count := make([]cells, len(list)), -1
	for i, c := range list {
		var n int
		if out[i], n = column(c); n < 0 || count >= 0 && n != count {
			return nil, 0, errors.New("the server sends columns that do not belong together")
		}
		count = n
	}
	return out, count, nil
}

func column(c *hs.TColumn) (cells, int) {
	switch {
	case c == nil:
	case c.BoolVal != nil:
		return cells{c.BoolVal.Nulls, func(i int) driver.Value { return c.BoolVal.Values[i] }}, len(c.BoolVal.Values)
	case c.ByteVal != nil:
		return cells{c.ByteVal.Nulls, func(i int) driver.Value { return int64(c.ByteVal.Values[i]) }}, len(c.ByteVal.Values)
	case c.I16Val != nil:
		return cells{c.I16Val.Nulls, func(i int) driver.Value { return int64(c.I16Val.Values[i]) }}, len(c.I16Val.Values)
	case c.I32Val != nil:
		return cells{c.I32Val.Nulls, func(i int) driver.Value { return int64(c.I32Val.Values[i]) }}, len(c.I32Val.Values)
	case c.I64Val != nil:
		return cells{c.I64Val.Nulls, func(i int) driver.Value { return c.I64Val.Values[i] }}, len(c.I64Val.Values)
	case c.DoubleVal != nil:
		return cells{c.DoubleVal.Nulls, func(i int) driver.Value { return c.DoubleVal.Values[i] }}, len(c.DoubleVal.Values)
	case c.StringVal != nil:
		return cells{c.StringVal.Nulls, func(i int) driver.Value { return c.StringVal.Values[i] }}, len(c.StringVal.Values)
	case c.BinaryVal != nil:
		return cells{c.BinaryVal.Nulls, func(i int) driver.Value { return c.BinaryVal.Values[i] }}, len(c.BinaryVal.Values)
	}
	return cells{}, -1
}
