// Package secrets tells real rpctl processes secrets, as a person does on a terminal, and then looks for them
// wherever they could have come: docs/secrets.md. It has tests only.
package secrets
