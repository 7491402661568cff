//go:build race

package yamldoc

// slack is how much slower everything is under the race detector.
const slack = 10
