// Package pyyaml reads and writes YAML as PyYAML does: YAML 1.1 scalars (yes and
// no are booleans, 010 is eight, 12:30 a number in base 60), merge keys, and
// the dumper's choice of quotes and folding. StackStorm's packs depend on it.
package pyyaml

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"petrel/expr/value"
)

var (
	floatPattern = regexp.MustCompile(`^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	intPattern   = regexp.MustCompile(`^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	datePattern  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	timePattern  = regexp.MustCompile(`^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?(?:[ \t]*(Z|([-+])([0-9]{1,2})(?::([0-9]{2}))?))?)?$`)
)

// Kind is what a plain scalar means by its text alone: null, bool, int, float,
// timestamp, merge, value or str, the names of YAML's tags.
func Kind(text string) string {
	if text == "" {
		return "null"
	}
	switch text {
	case "~", "null", "Null", "NULL":
		return "null"
	case "yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE",
		"on", "On", "ON", "off", "Off", "OFF":
		return "bool"
	case "<<":
		return "merge"
	case "=":
		return "value"
	}
	c := text[0]
	if c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' {
		switch {
		case floatPattern.MatchString(text):
			return "float"
		case intPattern.MatchString(text):
			return "int"
		case datePattern.MatchString(text):
			return "timestamp"
		}
		if c >= '0' && c <= '9' {
			// A time needs both parts; a date alone needs two digits each.
			if m := timePattern.FindStringSubmatch(text); m != nil && m[4] != "" {
				return "timestamp"
			}
		}
	}
	return "str"
}

func constructErr(n *yaml.Node, format string, args ...any) error {
	return value.Errorf("ConstructorError", "%s\n  in \"<unicode string>\", line %d, column %d", fmt.Sprintf(format, args...), n.Line, n.Column)
}

// shortTag is the tag of a node as it was written, or empty.
func shortTag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(n.Tag, "tag:yaml.org,2002:"), "!!")
}

// ResolveScalar gives the value of a scalar node by PyYAML's rules: what it
// resolves plain scalars to, explicit standard tags, and str for all quoted
// ones. Tags that would build objects are errors.
func ResolveScalar(n *yaml.Node) (value.Value, error) {
	kind := shortTag(n)
	switch kind {
	case "", "!":
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || kind == "!" {
			return n.Value, nil
		}
		kind = Kind(n.Value)
	}
	switch kind {
	case "str", "merge":
		return n.Value, nil
	case "null":
		return nil, nil
	case "bool":
		switch strings.ToLower(n.Value) {
		case "yes", "true", "on":
			return true, nil
		case "no", "false", "off":
			return false, nil
		}
		return nil, constructErr(n, "could not construct a bool from %s", value.Quote(n.Value))
	case "int":
		return parseInt(n)
	case "float":
		return parseFloat(n)
	case "timestamp":
		return parseTimestamp(n)
	case "binary":
		data, err := base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
			if r == ' ' || r == '\n' || r == '\t' || r == '\r' {
				return -1
			}
			return r
		}, n.Value))
		if err != nil {
			return nil, constructErr(n, "failed to decode base64 data: %v", err)
		}
		return value.Bytes(data), nil
	case "value":
		return nil, constructErr(n, "could not determine a constructor for the tag 'tag:yaml.org,2002:value'")
	}
	return nil, constructErr(n, "could not determine a constructor for the tag %s", value.Quote(n.Tag))
}

func parseInt(n *yaml.Node) (value.Value, error) {
	bad := func() (value.Value, error) {
		return nil, constructErr(n, "invalid literal for int: %s", value.Quote(n.Value))
	}
	s := strings.ReplaceAll(n.Value, "_", "")
	sign := int64(1)
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	base := 10
	switch {
	case s == "":
		return bad()
	case s == "0":
		return int64(0), nil
	case strings.HasPrefix(s, "0b"):
		s, base = s[2:], 2
	case strings.HasPrefix(s, "0x"):
		s, base = s[2:], 16
	case s[0] == '0':
		s, base = strings.TrimPrefix(strings.TrimPrefix(s, "0o"), "0O"), 8
	case strings.Contains(s, ":"):
		total := new(big.Int)
		for _, part := range strings.Split(s, ":") {
			p, err := strconv.ParseInt(part, 10, 64)
			if err != nil {
				return bad()
			}
			total.Mul(total, big.NewInt(60)).Add(total, big.NewInt(p))
		}
		return value.BigInt(total.Mul(total, big.NewInt(sign))), nil
	}
	if len(s) > 4300 {
		return nil, constructErr(n, "Exceeds the limit (4300 digits) for integer string conversion")
	}
	i, ok := new(big.Int).SetString(s, base)
	if !ok {
		return bad()
	}
	return value.BigInt(i.Mul(i, big.NewInt(sign))), nil
}

func parseFloat(n *yaml.Node) (value.Value, error) {
	s := strings.ToLower(strings.ReplaceAll(n.Value, "_", ""))
	sign := 1.0
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	switch {
	case s == ".inf":
		return math.Inf(int(sign)), nil
	case s == ".nan":
		return math.NaN(), nil
	case strings.Contains(s, ":"):
		total := 0.0
		for _, part := range strings.Split(s, ":") {
			f, err := value.ParseFloat(part)
			if err != nil {
				return nil, constructErr(n, "%v", err)
			}
			total = total*60 + f
		}
		return sign * total, nil
	}
	f, err := value.ParseFloat(s)
	if err != nil {
		return nil, constructErr(n, "%v", err)
	}
	return sign * f, nil
}

func parseTimestamp(n *yaml.Node) (value.Value, error) {
	m := timePattern.FindStringSubmatch(n.Value)
	if m == nil {
		return nil, constructErr(n, "no timestamp: %s", value.Quote(n.Value))
	}
	num := func(i int) int {
		v, _ := strconv.Atoi(m[i])
		return v
	}
	y, mo, d := num(1), num(2), num(3)
	t := time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC)
	if y < 1 || t.Day() != d || int(t.Month()) != mo {
		return nil, constructErr(n, "day is out of range for month: %s", value.Quote(n.Value))
	}
	if m[4] == "" {
		return value.NewDate(t), nil
	}
	h, mi, s := num(4), num(5), num(6)
	if h > 23 || mi > 59 || s > 59 {
		return nil, constructErr(n, "time out of range: %s", value.Quote(n.Value))
	}
	us := 0
	if f := m[7]; f != "" {
		f = (f + "000000")[:6]
		us, _ = strconv.Atoi(f)
	}
	zone, naive := time.UTC, true
	switch {
	case m[9] != "":
		off := num(10)*3600 + num(11)*60
		if off >= 86400 {
			return nil, constructErr(n, "offset out of range: %s", value.Quote(n.Value))
		}
		if m[9] == "-" {
			off = -off
		}
		zone, naive = time.FixedZone("", off), false
	case m[8] != "":
		naive = false
	}
	return value.DateTime{Time: time.Date(y, time.Month(mo), d, h, mi, s, us*1000, zone), Naive: naive}, nil
}
