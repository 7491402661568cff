//go:build !race

package bot_test

// slack is how much longer things may take.
const slack = 1
