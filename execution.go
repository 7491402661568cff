package petrel

import "time"

// Lane is the queue an execution waits in. A flood in one lane does not delay
// the others.
type Lane string

// The lanes.
const (
	LaneInteractive Lane = "interactive" // chat, CLI, API: a person waits
	LaneWorkflow    Lane = "workflow"    // tasks of a running workflow
	LaneBackground  Lane = "background"  // rules and timers
)

// LogEntry is one change of an execution's status.
type LogEntry struct {
	At     time.Time
	Status Status
}

// Execution is one run of an action: the record, with its moving part joined.
// st2: st2common/st2common/models/api/execution.py. The liveaction of old
// clients is a shape the API writes from it.
type Execution struct {
	ID                ID
	LiveActionID      ID         // old clients see a second id for the same run
	Action            Action     // as it was when the run was requested
	Runner            RunnerType // as it was when the run was requested
	Status            Status
	StartedAt         time.Time // when it was requested, not when it began to run
	EndedAt           time.Time // zero until it is final
	Log               []LogEntry
	Parameters        JSON   // as given, rendered; defaults only where they are expressions
	Context           JSON   // user, pack, parent, api_user, …
	User              string // context.user
	Result            JSON
	ResultSize        int  // bytes of the result as JSON; 0 when it was never measured
	Parent            ID   // the execution of the workflow this is a task of
	Children          []ID // in the order they were requested
	Delay             int  // milliseconds between request and claim
	Notify            JSON // on-complete, on-success, on-failure
	Callback          JSON
	Lane              Lane
	Depth             int    // how many trigger instances and executions caused it
	IdempotencyKey    string // scope and key of the request; empty for none
	Attempt           int    // 1 for the first claim; every write by an owner names it
	Owner             string // incarnation of the node that owns the attempt; empty when nobody does
	RunnerHost        string // host and process of the owner, for runner_info
	RunnerPID         int
	WorkflowExecution ID // of an Orquesta run or task
	TaskExecution     ID
	Revision          int64 // grows with every change of the row
}

// OutputChunk is a piece of what a running action printed.
type OutputChunk struct {
	ID          ID
	ExecutionID ID
	Attempt     int
	Seq         int64 // order inside the execution
	ActionRef   Ref
	RunnerRef   string
	At          time.Time
	Type        string // stdout, stderr, output
	Data        string
}
