package rows

import "time"

// Never is the due time of a row that waits for something else than a time.
const Never int64 = 1<<63 - 1

// Micros is how a time stands in a column: microseconds since 1970, zero for
// the zero time. Both databases keep times this way, so that a row reads the
// same in both and no time zone or precision of a database comes in between.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time reads what Micros wrote.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
