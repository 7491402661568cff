package rows

import (
	"strconv"
	"strings"
	"time"

	"petrel"
)

// LogText is one entry of the status log as text, "running@1763817000123456 ".
// Entries are put behind each other with ||, so that a change of status never
// reads the log it adds to.
func LogText(status petrel.Status, at time.Time) string {
	return string(status) + "@" + strconv.FormatInt(at.UnixMicro(), 10) + " "
}

// Log reads entries put behind each other. What is not an entry is left out.
func Log(text string) []petrel.LogEntry {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil
	}
	log := make([]petrel.LogEntry, 0, len(words))
	for _, word := range words {
		status, at, found := strings.Cut(word, "@")
		micros, err := strconv.ParseInt(at, 10, 64)
		if !found || err != nil {
			continue
		}
		log = append(log, petrel.LogEntry{At: time.UnixMicro(micros).UTC(), Status: petrel.Status(status)})
	}
	return log
}
