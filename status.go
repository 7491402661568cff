package petrel

// Status is where an execution stands. The words are the wire's.
// st2: st2common/st2common/constants/action.py
type Status string

// The statuses of an execution.
//
//	              ┌──────────┐   delay or policy    ┌─────────┐
//	  request ──▶ │requested │ ───────────────────▶ │ delayed │
//	              └────┬─────┘ ◀─────────────────── └────┬────┘
//	                   │ claim       due                 │ claim, cancel
//	              ┌────▼─────┐                           │
//	      ┌─────▶ │scheduled │ ◀─────────────────────────┘
//	      │       └────┬─────┘
//	 dead │            │ committed before the first side effect
//	owner │       ┌────▼─────┐ ◀──────────┐ resumed
//	      └────── │ running  │ ──▶ pausing ──▶ paused ──▶ resuming
//	 (side-effect └────┬─────┘ ──▶ pending (inquiry) ──▶ succeeded, timeout
//	   free only)      │       ──▶ canceling ──▶ canceled
//	                   ▼
//	   succeeded  failed  timeout  abandoned  canceled     (final)
//
// A final status never changes.
const (
	StatusRequested Status = "requested"
	StatusScheduled Status = "scheduled"
	StatusDelayed   Status = "delayed"
	StatusRunning   Status = "running"
	StatusSucceeded Status = "succeeded"
	StatusFailed    Status = "failed"
	StatusTimeout   Status = "timeout"
	StatusAbandoned Status = "abandoned"
	StatusCanceling Status = "canceling"
	StatusCanceled  Status = "canceled"
	StatusPending   Status = "pending"
	StatusPausing   Status = "pausing"
	StatusPaused    Status = "paused"
	StatusResuming  Status = "resuming"
)

// Statuses lists every status in StackStorm's order, as its API's schema
// errors print them.
var Statuses = []Status{
	StatusRequested, StatusScheduled, StatusDelayed, StatusRunning, StatusSucceeded, StatusFailed, StatusTimeout,
	StatusAbandoned, StatusCanceling, StatusCanceled, StatusPending, StatusPausing, StatusPaused, StatusResuming,
}

var transitions = map[Status][]Status{
	StatusRequested: {StatusScheduled, StatusDelayed, StatusRunning, StatusCanceling, StatusCanceled, StatusFailed},
	StatusDelayed:   {StatusRequested, StatusScheduled, StatusRunning, StatusCanceling, StatusCanceled, StatusFailed},
	StatusScheduled: {StatusRequested, StatusRunning, StatusCanceling, StatusCanceled, StatusFailed, StatusAbandoned},
	StatusRunning: {StatusSucceeded, StatusFailed, StatusTimeout, StatusAbandoned, StatusCanceling, StatusCanceled,
		StatusPending, StatusPausing, StatusPaused, StatusRequested},
	StatusPending: {StatusSucceeded, StatusTimeout, StatusFailed, StatusCanceling, StatusCanceled, StatusAbandoned},
	StatusPausing: {StatusPaused, StatusRunning, StatusCanceling, StatusCanceled, StatusSucceeded, StatusFailed, StatusTimeout,
		StatusAbandoned},
	StatusPaused:    {StatusResuming, StatusRunning, StatusCanceling, StatusCanceled, StatusFailed, StatusAbandoned},
	StatusResuming:  {StatusRunning, StatusCanceling, StatusCanceled, StatusFailed, StatusAbandoned},
	StatusCanceling: {StatusCanceled, StatusSucceeded, StatusFailed, StatusTimeout, StatusAbandoned},
}

// Valid says whether the word is a status.
func (s Status) Valid() bool {
	for _, known := range Statuses {
		if s == known {
			return true
		}
	}
	return false
}

// Final says whether the status ends an execution.
func (s Status) Final() bool {
	switch s {
	case StatusSucceeded, StatusFailed, StatusTimeout, StatusCanceled, StatusAbandoned:
		return true
	}
	return false
}

// Failure says whether the status is one of the failed ones.
func (s Status) Failure() bool {
	return s == StatusFailed || s == StatusTimeout || s == StatusAbandoned
}

// Cancelable says whether an execution in this status can be canceled.
func (s Status) Cancelable() bool {
	switch s {
	case StatusRequested, StatusScheduled, StatusDelayed, StatusRunning, StatusPausing, StatusPaused, StatusResuming:
		return true
	}
	return false
}

// CanBecome says whether the step from one status to another is legal.
// Scheduled or running back to requested is the claim of a dead owner's work:
// legal for scheduled always, for running only where a second start does no
// harm, which the engine decides.
func (s Status) CanBecome(next Status) bool {
	for _, to := range transitions[s] {
		if to == next {
			return true
		}
	}
	return false
}
