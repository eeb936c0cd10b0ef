"""An echo over gRPC, server and client: `python -m lateen.samples.grpc_echo serve|call`. samples/grpc-echo/echo.proto.

Messages are protobuf's own StringValue, so that no generated code is needed on either side.
"""

ECHO = "/lateen.samples.Echo/Echo"
ECHO_EACH = "/lateen.samples.Echo/EchoEach"
