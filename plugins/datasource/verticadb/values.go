package verticadb

import (
	"database/sql/driver"
	"errors"
	"strconv"
	"time"
)

// Types of values, as the protocol numbers them.
const (
	kindBool          = 5
	kindInt           = 6
	kindFloat         = 7
	kindDate          = 10
	kindTimestamp     = 12
	kindTimestampTZ   = 13
	kindVarBinary     = 17
	kindLongVarBinary = 116
	kindBinary        = 117
)

// names are what Vertica calls the types.
var names = map[uint32]string{
	kindBool: "BOOLEAN", kindInt: "INT", kindFloat: "FLOAT", 8: "CHAR", 9: "VARCHAR", kindDate: "DATE", 11: "TIME", kindTimestamp: "TIMESTAMP",
	kindTimestampTZ: "TIMESTAMPTZ", 14: "INTERVAL", 114: "INTERVAL", 15: "TIMETZ", 16: "NUMERIC", kindVarBinary: "VARBINARY", 20: "UUID", 115: "LONG VARCHAR",
	kindLongVarBinary: "LONG VARBINARY", kindBinary: "BINARY",
}

var errValue = errors.New("the server sends a value that is none of its type")

// value reads what stands in a cell, which is a text. What does not fit a type of Go stays one: infinity, years before Christ.
func value(raw []byte, kind uint32) (driver.Value, error) {
	text := string(raw)
	switch kind {
	case kindBool:
		return text == "t", nil
	case kindInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, errValue
		}
		return n, nil
	case kindFloat:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, errValue
		}
		return f, nil
	case kindDate:
		return at(text, "2006-01-02"), nil
	case kindTimestamp:
		return at(text, "2006-01-02 15:04:05.999999"), nil
	case kindTimestampTZ:
		return at(text, "2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00"), nil
	case kindVarBinary, kindLongVarBinary, kindBinary:
		return octal(text)
	}
	return text, nil
}

func at(text string, layouts ...string) driver.Value {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	return text
}

// octal reads bytes: those that are no letters are \ooo, and \ is \\.
func octal(text string) ([]byte, error) {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			out = append(out, text[i])
		case i+1 < len(text) && text[i+1] == '\\':
			out = append(out, '\\')
			i++
		case i+3 < len(text):
			n, err := strconv.ParseUint(text[i+1:i+4], 8, 8)
			if err != nil {
				return nil, errValue
			}
			out = append(out, byte(n))
			i += 3
		default:
			return nil, errValue
		}
	}
	return out, nil
}
