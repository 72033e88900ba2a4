package dataquality

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

var (
	errNumber = errors.New("is no number")
	errZero   = errors.New("the expected value is 0, so there is no percentage of it")
)

// parse reads a number as databases and people write it, without rounding it.
func parse(text string) (*big.Rat, error) {
	text = strings.TrimSpace(text)
	// A float bounds the exponent: the exact value of 1e999999999 would take all memory.
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || len(text) > 400 || strings.ContainsAny(text, "xXpP_") {
		return nil, errNumber
	}
	if f == 0 {
		return new(big.Rat), nil
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, errNumber
	}
	return n, nil
}

// show writes a number with at most four digits after the point.
func show(n *big.Rat) string {
	if n == nil {
		return ""
	}
	if n.IsInt() {
		return n.Num().String()
	}
	return strings.TrimRight(strings.TrimRight(n.FloatString(4), "0"), ".")
}

// exact writes a number with what counts of its digits, as a decimal.
func exact(n *big.Rat) string {
	if n == nil || n.IsInt() {
		return show(n)
	}
	return strings.TrimRight(strings.TrimRight(n.FloatString(12), "0"), ".")
}

// measure is what the check type makes of the two values.
func measure(checkType int, actual, expected *big.Rat) (*big.Rat, error) {
	out := new(big.Rat)
	switch checkType {
	case 0:
		return out.Sub(expected, actual), nil
	case 1:
		return out.Sub(actual, expected), nil
	case 2:
		out.Set(actual)
	case 3:
		out.Sub(expected, actual)
	default:
		return nil, fmt.Errorf("there is no check type %d", checkType)
	}
	if expected.Sign() == 0 {
		return nil, errZero
	}
	return out.Mul(out.Quo(out, expected), big.NewRat(100, 1)), nil
}

// holds compares; a rule has failed when its comparison holds.
func holds(value *big.Rat, operator int, threshold *big.Rat) bool {
	c := value.Cmp(threshold)
	switch operator {
	case 0:
		return c == 0
	case 1:
		return c < 0
	case 2:
		return c <= 0
	case 3:
		return c > 0
	case 4:
		return c >= 0
	case 5:
		return c != 0
	}
	return false
}

// sign is an operator as people write it.
func sign(operator int) string {
	all := []string{"=", "<", "<=", ">", ">=", "!="}
	if operator < 0 || operator >= len(all) {
		return "?"
	}
	return all[operator]
}

// formula is a check type as people write it.
func formula(checkType int) string {
	all := []string{"expected - actual", "actual - expected", "actual / expected x 100", "(expected - actual) / expected x 100"}
	if checkType < 0 || checkType >= len(all) {
		return "?"
	}
	return all[checkType]
}
