using System.Net.Sockets;
using Spindle.Host.Rpc.Server;

namespace Spindle.UnitTests.Rpc;

public sealed class ControlSocketTests : IDisposable
{
    private readonly string _folder = RpcTestServer.TempFolder();

    private string At(string name) => Path.Combine(_folder, name);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Only_the_owner_may_connect_and_nothing_is_left_behind()
    {
        using (ControlSocket.Listen(At("a"), 4))
        {
            if (!OperatingSystem.IsWindows())
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At("a")));
            }
        }
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void A_socket_left_behind_is_replaced()
    {
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(At("a")));
            File.Move(At("a"), At("b")); // disposing would remove it
        }
        Assert.True(File.Exists(At("b")));
        using var taken = ControlSocket.Listen(At("b"), 4);
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(At("b")));
    }

    [Fact]
    public void A_socket_in_use_is_left_alone_with_a_remedy()
    {
        using var first = ControlSocket.Listen(At("a"), 4);
        var error = Assert.Throws<SpindleException>(() => ControlSocket.Listen(At("a"), 4));
        Assert.Equal(Errno.EADDRINUSE, error.Errno);
        Assert.Contains(At("a"), error.Message);
        Assert.Contains("--rpc-socket", error.Message);
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(At("a")));
    }

    [Fact]
    public void A_living_server_without_a_lock_is_left_alone_too()
    {
        using var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        other.Bind(new UnixDomainSocketEndPoint(At("a")));
        other.Listen(1);
        Assert.Equal(Errno.EADDRINUSE, Assert.Throws<SpindleException>(() => ControlSocket.Listen(At("a"), 4)).Errno);
        Assert.True(File.Exists(At("a")));
        Assert.False(File.Exists(At("a.lock")));
    }

    [Fact]
    public void An_ordinary_file_is_never_deleted()
    {
        File.WriteAllText(At("a"), "precious");
        Assert.Equal(Errno.EEXIST, Assert.Throws<SpindleException>(() => ControlSocket.Listen(At("a"), 4)).Errno);
        Assert.Equal("precious", File.ReadAllText(At("a")));
        Directory.CreateDirectory(At("d"));
        Assert.Equal(Errno.EEXIST, Assert.Throws<SpindleException>(() => ControlSocket.Listen(At("d"), 4)).Errno);
    }

    [Fact]
    public void Impossible_paths_are_refused_in_words()
    {
        Assert.Contains("107 bytes", Assert.Throws<SpindleException>(() => ControlSocket.Listen("/tmp/" + new string('x', 200), 4)).Message);
        Assert.Contains("folder does not exist", Assert.Throws<SpindleException>(() => ControlSocket.Listen(At("no/such/a"), 4)).Message);
    }
}
