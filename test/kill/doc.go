// Package kill kills the built program, again and again, at random moments and
// at the named points of engine/hook, and compares what was accepted with what
// the actions themselves wrote down and what the store says afterwards.
//
// Its tests build cmd/petrel with the tag hooks. PETREL_SEED repeats a run,
// PETREL_SOAK=1 kills 200 times per store instead of 20.
package kill
