//go:build !race

package yamldoc

const slack = 1
