package petrel

import (
	"regexp"
	"strings"
	"time"
)

// timeLayout is the only form in which times leave Petrel: UTC with exactly
// six fractional digits. st2: st2common/st2common/util/isotime.py
const timeLayout = "2006-01-02T15:04:05.000000Z"

// FormatTime writes a time as 2015-07-05T12:00:00.000000Z.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

var timePattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[\sT]\d{2}:\d{2}:\d{2}(\.\d{3,6})?(Z|\+00|\+0000|\+00:00)$`)

// ParseTime reads the forms StackStorm's API takes: a space or T between date
// and time, three to six fractional digits or none, and UTC written as Z,
// +00, +0000 or +00:00.
func ParseTime(text string) (time.Time, error) {
	if !timePattern.MatchString(text) {
		return time.Time{}, Errorf(Invalid, "'%s' is not a time: expected YYYY-MM-DDTHH:MM:SS[.ffffff]Z", text)
	}
	day, clock := text[:10], text[11:19]
	rest := text[19:]
	for _, zone := range []string{"Z", "+00:00", "+0000", "+00"} {
		if cut, found := strings.CutSuffix(rest, zone); found {
			rest = cut
			break
		}
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999", day+"T"+clock+rest)
	if err != nil {
		return time.Time{}, Errorf(Invalid, "'%s' is not a time: %v", text, err)
	}
	return t.UTC(), nil
}

// Micros rounds a time down to the microsecond and to UTC, the precision at
// which times are stored, so that a value read back equals the one written.
func Micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
