//go:build race

package bot_test

// slack is how much longer things may take: the race detector makes them slow.
const slack = 20
