// Package hook holds the named points in the engine at which a test build can
// make the process crash, wait or fail. Without the build tag "hooks" they
// compile to nothing.
package hook

// Point names a place in the code.
type Point string

// The points.
const (
	AfterCommitBeforePublish Point = "after-commit-before-publish" // a run is stored and nobody was told
	AfterClaim               Point = "after-claim"                 // a run was claimed and nothing was done for it
	BeforeExecStart          Point = "before-exec-start"           // all is prepared and "running" is not stored
	AfterExecStart           Point = "after-exec-start"            // "running" is stored and the action runs
	BeforeResultWrite        Point = "before-result-write"         // the action ended and its result is not stored
	AfterFinishBeforePost    Point = "after-finish-before-post"    // the result is stored and nobody was told
)

// Points lists all points.
var Points = []Point{
	AfterCommitBeforePublish, AfterClaim, BeforeExecStart, AfterExecStart, BeforeResultWrite, AfterFinishBeforePost,
}
