package secret

import (
	"errors"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	for name, want := range map[string]bool{
		"APP_SECRET": true, "dbPassword": true, "access-token": true, "X-Api-Key": true, "MAILER_PASSWD": true, "ssh.passphrase": true, "X-Amz-Signature": true,
		"branch": false, "workers": false, "": false, "key": false, "monkey": false, "pass": false, "Email": false,
	} {
		if Name(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestLink(t *testing.T) {
	for link, want := range map[string]error{
		"https://trello.com/c/abc/4537-chu-75":                            nil,
		"https://slack.example/archives/C1/p1?cid=C1":                     nil,
		"https://a.example/?q=token#comment-12":                           nil,
		"https://a.example/?token=":                                       nil,
		"https://a.example/@claire":                                       nil,
		"no link at all":                                                  nil,
		"":                                                                nil,
		"ssh://git@git.example/rp.git":                                    nil,
		"git@git.example:rp.git":                                          nil,
		"--token=hush":                                                    nil,
		"--from=ssh://git:hush@git.example":                               ErrLogin,
		"curl http://hush@a.example":                                      ErrLogin,
		"https://alice:hush@a.example/t":                                  ErrLogin,
		"https://ghp_hush@a.example/t":                                    ErrLogin,
		"https://alice:hu%sh@a.example/t":                                 ErrLogin,
		"https://a.example/t?token=hush":                                  ErrToken,
		"https://a.example/t?a=1&api_key=hush":                            ErrToken,
		"https://a.example/t?pub_secret=hush":                             ErrToken,
		"https://a.example/t?a=1;access%5Ftoken=hush":                     ErrToken,
		"https://a.example/t#access_token=hush":                           ErrToken,
		"https://a.example/#/t?token=hush":                                ErrToken,
		"https://a.example/t?pwd=hush":                                    ErrToken,
		"https://a.example/t?pass=hush":                                   ErrToken,
		"https://a.example/t?PASSWD=hush":                                 ErrToken,
		"https://a.example/t?sv=1&sig=hush":                               ErrToken,
		"https://a.example/t?signature=hush":                              ErrToken,
		"https://a.example/t?auth=hush":                                   ErrToken,
		"https://a.example/t?session=hush":                                ErrToken,
		"https://a.example/t?Session-Id=hush":                             ErrToken,
		"https://a.example/t?jwt=hush":                                    ErrToken,
		"https://a.example/t?state=1&code=hush":                           ErrToken,
		"https://a.example/t?a=1;key=hush":                                ErrToken,
		"https://a.example/t;jsessionid=hush?a=1":                         ErrToken,
		"https://a.example/t?%6Bey=hush":                                  ErrToken,
		"https://a.example/t?a=1%26pwd%3Dhush":                            ErrToken,
		"https://a.example/t?to=https%3A%2F%2Fb.example%2F%3Fcode%3Dhush": ErrToken,
		"bob:hush@a.example/t":                                            ErrLogin,
		"bob:hush@a.example":                                              ErrLogin,
		"bob:hush@a.example:8443/t":                                       ErrLogin,
		"//bob:hush@a.example/t":                                          ErrLogin,
		"--from=bob:hush@intern/t":                                        ErrLogin,
		"mailto:claire@a.example":                                         nil,
		"npm:tool@1.2.3":                                                  nil,
		"registry/image:1.2@sha256:0123456789":                            nil,
		"app@a.example:/home/app":                                         nil,
		"https://trello.com/c/AbCd1234/12-rp-migration-france-fraternit%C3%A9s#comment-65f1c0de":                       nil,
		"https://trello.com/b/AbCd1234/board?filter=member:claire":                                                     nil,
		"https://reconnect.slack.com/archives/C01ABCDEF/p1716990000000100?thread_ts=1716980000.000100&cid=C01ABCDEF":   nil,
		"https://github.com/re-connect/rpctl/issues?q=is%3Aopen+label%3Aauth&type=code#issuecomment-1":                 nil,
		"https://github.com/re-connect/rpctl/blob/main/key.go?plain=1#L10-L20":                                         nil,
		"https://www.notion.so/reconnect/Plan-0123456789abcdef?v=abcdef&p=0123&pvs=4&source=copy_link":                 nil,
		"https://reconnect.atlassian.net/browse/RP-12?focusedCommentId=10042&page=com.atlassian.jira:comment-tabpanel": nil,
		"https://reconnect.atlassian.net/issues/?jql=project%20%3D%20RP&projectKey=RP&atlOrigin=abc":                   nil,
		"https://docs.google.com/spreadsheets/d/1a/edit?usp=sharing#gid=0":                                             nil,
	} {
		err := Link(link)
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v, want %v", link, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hu") {
			t.Errorf("the error repeats the link: %v", err)
		}
	}
}

func TestMask(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"160 suivis : 41 déplacés":      "160 suivis : 41 déplacés",
		"https://a.example/t?a=1":       "https://a.example/t?a=1",
		"claire@example.org: no answer": "claire@example.org: no answer",
		"Undefined constant: TOKEN":     "Undefined constant: TOKEN",
		`In Driver.php: DATABASE_URL "mysql://app:hush@db:3306/rp" is bad`: `In Driver.php: DATABASE_URL "mysql://[hidden]@db:3306/rp" is bad`,
		"https://hush@a.example and redis://:hush@r":                       "https://[hidden]@a.example and redis://[hidden]@r",
		"ssh://git@git.example/rp.git":                                     "ssh://git@git.example/rp.git",
		"amqp://a:hu@sh@mq/":                                               "amqp://[hidden]@mq/",
		"APP_SECRET=hush APP_ENV=prod":                                     "APP_SECRET=[hidden] APP_ENV=prod",
		`{"api_key": "hu\"sh, hush", "id": 3}`:                             `{"api_key": [hidden], "id": 3}`,
		"array('password' => 'hush', 'user' => 'a')":                       "array('password' => [hidden], 'user' => 'a')",
		"GET /x?id=1&token=hush&page=2":                                    "GET /x?id=1&token=[hidden]&page=2",
		"Authorization: Bearer hush.hush.hush":                             "Authorization: Bearer [hidden]",
		"Authorization: Basic aHVzaA==":                                    "Authorization: Basic [hidden]",
		"the basic configuration":                                          "the basic configuration",
		`"a line {\"api_key\": \"hush, hush\"}"`:                           `"a line {\"api_key\": [hidden]}"`,
		`bad "mysql://app:hu/sh@db/rp"`:                                    `bad "mysql://[hidden]@db/rp"`,
		"https://a.example:8080/@claire":                                   "https://a.example:8080/@claire",
		"MAILER_PASSWORD: hush":                                            "MAILER_PASSWORD: [hidden]",
		"APP_SECRET='hush hush":                                            "APP_SECRET=[hidden]",
		"postgres://app:hush@db\x00SECRET_TOKEN=\thush":                    "postgres://[hidden]@db\x00SECRET_TOKEN=\t[hidden]",
	} {
		if got := Mask(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// TestMaskOfWhatAHostSends: a line of the wire may be made to be looked at again and again.
func TestMaskOfWhatAHostSends(t *testing.T) {
	for _, part := range []string{"b:", "a=\"b:", "token:", "://a:", "bearer ", "a://b:c@", "'a='"} {
		text := strings.Repeat(part, (128<<10)/len(part))
		if masked := Mask(text); len(masked) > 8*len(text) {
			t.Errorf("%d bytes of %q become %d", len(text), part, len(masked))
		}
	}
}

// TestLinkOfALongText: what is looked at for every byte must not look at all the rest each time.
func TestLinkOfALongText(t *testing.T) {
	for _, part := range []string{"b:", "=a:", "=a:b@c", "&a%26=", "?;#&", "a:b@", "://a:"} {
		if err := Link("https://a.example/?token=hush&" + strings.Repeat(part, (32<<10)/len(part))); err == nil {
			t.Errorf("a token before 32 KiB of %q is not found", part)
		}
	}
}

// FuzzMask: whatever stands around it, a secret that is told by its name is left out.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{"mysql://app:hush@db", "APP_SECRET=hush", `"token": "a\"b"`, "Bearer abcdefgh", "://@", "a=>", `token:""0`} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const planted = "hush-hush"
		if strings.Contains(before+after, planted) {
			return
		}
		if masked := Mask(before + " APP_SECRET=" + planted + " " + after); strings.Contains(masked, planted) {
			t.Errorf("between %q and %q the secret is shown: %q", before, after, masked)
		}
		_ = Link(before)
	})
}
