using System.Diagnostics;
using Spindle.Host.Environments;
using Spindle.Io;

namespace Spindle.UnitTests.Environment;

/// <summary>A loop device: what only block devices have.</summary>
public sealed class BlockDeviceTests : IDisposable
{
    private readonly string _backing = Path.GetTempFileName();
    private string? _device;

    [Theory]
    [InlineData("io_uring")]
    [InlineData("epoll")]
    public void LoopDeviceTellsItsGeometryAndZeroes(string ring)
    {
        Attach(8 << 20);
        using var fixture = new RingFixture(new HostEnvironmentOptions(Ring: ring));
        var file = fixture.Own(fixture.Io.OpenFile(_device!, new FileOpenOptions(Direct: true)));
        Assert.True(file.IsBlockDevice);
        Assert.Equal(8 << 20, file.Length);
        Assert.Equal(512u, file.LogicalBlockSize);
        Assert.True(file.IsDirect);
        Assert.True(file.Alignment >= 512);
        Assert.True(file.CanWriteZeroes);
        var buffer = fixture.Buffer(65536);
        buffer.Span.Fill(7);
        Assert.Equal(65536, fixture.Write(file, buffer, 4096));
        Assert.Equal(0, fixture.Run(o => fixture.Ring.Flush(file, o)));
        Assert.Equal(0, fixture.Run(o => fixture.Ring.WriteZeroes(file, 8192, 4096, o)));
        var deallocated = fixture.Run(o => fixture.Ring.Deallocate(file, 16384, 4096, o));
        Assert.Equal(file.CanDeallocate ? 0 : -Errno.ENOTSUP, deallocated);
        Assert.Equal(65536, fixture.Read(file, buffer, 4096));
        for (var i = 0; i < 65536; i++)
        {
            var zero = i is >= 4096 and < 8192 || deallocated == 0 && i is >= 12288 and < 16384;
            Assert.Equal(zero ? 0 : 7, buffer.Span[i]);
        }
        Assert.Equal(0, fixture.Read(file, buffer, 8 << 20));
    }

    public void Dispose()
    {
        if (_device is not null) Run("losetup", "--detach", _device);
        File.Delete(_backing);
    }

    private void Attach(long length)
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("needs Linux");
        if (!System.Environment.IsPrivilegedProcess) Assert.Skip("attaching a loop device needs root");
        using (var stream = File.OpenWrite(_backing)) stream.SetLength(length);
        var (code, output) = Run("losetup", "--find", "--show", _backing);
        if (code != 0) Assert.Skip("there is no loop device to be had here");
        _device = output.Trim();
    }

    private static (int Code, string Output) Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return (127, "");
        }
    }
}
