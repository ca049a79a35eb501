package migrate

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/re-connect/rpctl/proto"
)

// idLength is how long a job's id is: 36^16 is beyond guessing and beyond chance.
const idLength = 16

// newID makes up a job's id.
func newID(random io.Reader) (proto.JobID, error) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	const fair = 256 - 256%len(alphabet) // a byte from here on would favour the first letters
	id := make([]byte, 0, idLength)
	var one [1]byte
	for len(id) < idLength {
		if _, err := io.ReadFull(random, one[:]); err != nil {
			return "", fmt.Errorf("cannot make up an id: %w", err)
		}
		if int(one[0]) < fair {
			id = append(id, alphabet[int(one[0])%len(alphabet)])
		}
	}
	return proto.JobID(id), nil
}

// newNonce makes a receipt unlike any other.
func newNonce(random io.Reader) (string, error) {
	var nonce [16]byte
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return "", fmt.Errorf("cannot make up a nonce: %w", err)
	}
	return hex.EncodeToString(nonce[:]), nil
}
