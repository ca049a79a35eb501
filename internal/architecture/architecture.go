// Package architecture holds the tree to ARCHITECTURE.md: which part may import
// which, and the one home of each dependency. It has tests only; .golangci.yml
// says the same to golangci-lint and is written from here.
package architecture
