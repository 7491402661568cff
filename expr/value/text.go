package value

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// IsSpace is str.isspace for one character.
func IsSpace(r rune) bool {
	switch {
	case r >= '\t' && r <= '\r', r >= 0x1c && r <= ' ', r == 0x85, r == 0xa0, r == 0x1680,
		r >= 0x2000 && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x3000:
		return true
	}
	return false
}

// TrimSpace is str.strip().
func TrimSpace(s string) string { return strings.TrimFunc(s, IsSpace) }

// DecimalDigit is the value of a decimal digit of any script.
func DecimalDigit(r rune) (int, bool) {
	if r >= '0' && r <= '9' {
		return int(r - '0'), true
	}
	if r < 0x80 || !unicode.Is(unicode.Nd, r) {
		return 0, false
	}
	// Digits of a script stand in runs of ten from zero to nine.
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10, true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10, true
		}
	}
	return 0, false
}

func parseFloatText(t string) (float64, bool) {
	u := t
	sign := 1.0
	if u != "" && (u[0] == '+' || u[0] == '-') {
		if u[0] == '-' {
			sign = -1
		}
		u = u[1:]
	}
	switch strings.ToLower(u) {
	case "inf", "infinity":
		return math.Inf(int(sign)), true
	case "nan":
		return math.NaN(), true
	}
	// Underscores may stand between digits only.
	if strings.IndexByte(u, '_') >= 0 {
		for i := 0; i < len(u); i++ {
			if u[i] == '_' && (i == 0 || i == len(u)-1 || !isDigit(u[i-1]) || !isDigit(u[i+1])) {
				return 0, false
			}
		}
		u = strings.ReplaceAll(u, "_", "")
	}
	if u == "" || u[0] == '+' || u[0] == '-' {
		return 0, false
	}
	for i := 0; i < len(u); i++ {
		c := u[i]
		if !isDigit(c) && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(u, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return sign * f, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
