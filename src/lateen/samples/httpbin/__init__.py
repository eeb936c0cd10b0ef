"""An HTTP service that answers with what it was asked, or as it is told to: `python -m lateen.samples.httpbin`.

Two shapes of its JSON are about: `go` (headers and arguments are lists, as of go-httpbin) and `python` (strings).
"""
