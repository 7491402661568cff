package api

import (
	"time"

	"petrel"
)

// at is an execution as it was when it reached a status: the log is cut
// behind it, and what came later is taken away. The feed tells of changes
// after they happened, so a row that is read then may be further on already.
func at(x petrel.Execution, status petrel.Status) petrel.Execution {
	last := -1
	for i, e := range x.Log {
		if e.Status == status {
			last = i
		}
	}
	if last < 0 || last == len(x.Log)-1 && x.Status == status {
		return x
	}
	x.Log = x.Log[:last+1]
	x.Status = status
	if status.Final() {
		return x
	}
	x.EndedAt = time.Time{}
	x.ResultSize = 0
	if status != petrel.StatusCanceling {
		x.Result = nil
	}
	switch status {
	case petrel.StatusRequested, petrel.StatusDelayed, petrel.StatusScheduled:
		x.RunnerHost, x.RunnerPID = "", 0
		x.Children = nil
	}
	return x
}
