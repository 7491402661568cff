//go:build !race

package console_test

// slack is how much longer things may take.
const slack = 1
