package yamldoc

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"petrel/expr/value"
)

// The patterns by which PyYAML 6 tells what a plain scalar is. They are tried in
// this order. https://github.com/yaml/pyyaml/blob/6.0/lib/yaml/resolver.py
var (
	boolPattern  = regexp.MustCompile(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)
	floatPattern = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	intPattern   = regexp.MustCompile(`^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	datePattern  = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$`)
)

// maxDigits is Python's bound on the digits of a decimal integer's text.
const maxDigits = 4300

// scalar is the value of a scalar node.
func scalar(n *yaml.Node) (value.Value, error) {
	if n.Style&yaml.TaggedStyle != 0 {
		return tagged(n.Tag, n.Value)
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return n.Value, nil
	}
	return Plain(n.Value)
}

// Plain gives what a plain (unquoted) scalar stands for in YAML 1.1. Dates stay text.
func Plain(text string) (value.Value, error) {
	if text == "" {
		return nil, nil
	}
	switch c := text[0]; {
	case strings.IndexByte("yYnNtTfFoO~", c) >= 0:
		switch {
		case text == "~" || text == "null" || text == "Null" || text == "NULL":
			return nil, nil
		case len(text) <= 5 && boolPattern.MatchString(text):
			return truth(text), nil
		}
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		switch {
		case floatPattern.MatchString(text):
			return float(text)
		case intPattern.MatchString(text):
			return integer(text)
		}
	case text == "=":
		return nil, errors.New(`a lone = is YAML 1.1's default value, which is not supported; quote it`)
	case text == "<<":
		return nil, errors.New(`<< is the merge key and stands here as a value; quote it`)
	}
	return text, nil
}

func tagged(tag, text string) (value.Value, error) {
	switch tag {
	case "!!str":
		return text, nil
	case "!!null":
		return nil, nil
	case "!!bool":
		switch strings.ToLower(text) {
		case "yes", "no", "true", "false", "on", "off":
			return truth(text), nil
		}
		return nil, fmt.Errorf("%q is not a boolean", cut(text))
	case "!!int":
		return integer(text)
	case "!!float":
		return float(text)
	case "!!timestamp":
		if !datePattern.MatchString(text) {
			return nil, fmt.Errorf("%q is not a date", cut(text))
		}
		return text, nil
	case "!!binary":
		return nil, errors.New("binary values (!!binary) are not supported")
	}
	return nil, fmt.Errorf("the tag %s is not supported", cut(tag))
}

func truth(text string) bool {
	switch strings.ToLower(text) {
	case "yes", "true", "on":
		return true
	}
	return false
}

// integer reads an integer as PyYAML does: underscores are dropped, then a sign,
// then 0b, 0x, a leading 0 for octal, or base 60 with colons.
func integer(text string) (value.Value, error) {
	bad := fmt.Errorf("%q is not an integer", cut(text))
	digits := strings.ReplaceAll(text, "_", "")
	sign := ""
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		if digits[0] == '-' {
			sign = "-"
		}
		digits = digits[1:]
	}
	base := 10
	switch {
	case digits == "0":
		return int64(0), nil
	case strings.HasPrefix(digits, "0b"):
		base, digits = 2, digits[2:]
	case strings.HasPrefix(digits, "0x"):
		base, digits = 16, digits[2:]
	case strings.HasPrefix(digits, "0"):
		base = 8
	case strings.Contains(digits, ":"):
		total := new(big.Int)
		for _, part := range strings.Split(digits, ":") {
			d, ok := whole(part, 10)
			if !ok || len(text) > maxDigits {
				return nil, bad
			}
			total.Mul(total, big.NewInt(60)).Add(total, d)
		}
		if sign != "" {
			total.Neg(total)
		}
		return value.BigInt(total), nil
	}
	if base == 10 && len(digits) > maxDigits {
		return nil, fmt.Errorf("an integer of %d digits, the limit is %d", len(digits), maxDigits)
	}
	n, ok := whole(digits, base)
	if !ok {
		return nil, bad
	}
	if sign != "" {
		n.Neg(n)
	}
	return value.BigInt(n), nil
}

// whole reads digits of a base, no sign and no underscore.
func whole(digits string, base int) (*big.Int, bool) {
	if digits == "" || digits[0] == '-' || digits[0] == '+' || digits[0] == '_' {
		return nil, false
	}
	return new(big.Int).SetString(digits, base)
}

// float reads a float as PyYAML does.
func float(text string) (value.Value, error) {
	low := strings.ToLower(strings.ReplaceAll(text, "_", ""))
	sign := 1.0
	if low != "" && (low[0] == '-' || low[0] == '+') {
		if low[0] == '-' {
			sign = -1
		}
		low = low[1:]
	}
	switch {
	case low == ".inf":
		return math.Inf(int(sign)), nil
	case low == ".nan":
		return math.NaN(), nil
	case strings.Contains(low, ":"):
		total := 0.0
		for _, part := range strings.Split(low, ":") {
			f, ok := decimal(part)
			if !ok {
				return nil, fmt.Errorf("%q is not a number", cut(text))
			}
			total = total*60 + f
		}
		return sign * total, nil
	}
	f, ok := decimal(low)
	if !ok {
		return nil, fmt.Errorf("%q is not a number", cut(text))
	}
	return sign * f, nil
}

// decimal reads a decimal float; too large ones are infinite, as in Python.
func decimal(text string) (float64, bool) {
	if text == "" || strings.Trim(text, "0123456789.e+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return f, true
}
