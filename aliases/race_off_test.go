//go:build !race

package aliases

// slack is how much longer things may take.
const slack = 1
