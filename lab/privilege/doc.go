// Package privilege tries to get more out of a host than it is meant to give: with the key that may
// only ask rp-agent, as the application's user, as rp-agent itself, and as a console command. Each
// attempt is a line of a table, with the refusal that it meets; after each one nothing of the host
// has changed. docs/privileges.md is written from the same tables. It has tests only, since it needs
// a real host of each Debian release.
package privilege
