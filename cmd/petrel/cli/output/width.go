package output

import (
	"unicode"

	"golang.org/x/text/width"
)

// runeWidth is the room of a character: two columns for wide ones, none for
// marks that are drawn over the one before.
func runeWidth(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) || r == 0x200b || r == 0x200d || r >= 0xfe00 && r <= 0xfe0f {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
