//go:build race

package process

// raceDetector says that memory and time are not what they are without it.
const raceDetector = true
