// Package flood lets real rpctl processes meet a host that sends without end, and one whose every
// word is meant for the terminal. It has tests only.
package flood
