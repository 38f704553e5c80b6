using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using Spindle.Host.Environments;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.UnitTests.Environment;

/// <summary>An operation that counts and keeps its results, and may go on by itself.</summary>
internal class TestOperation : AcceptOperation
{
    public int Completions { get; private set; }
    public int Result { get; private set; } = int.MinValue;
    public Action<TestOperation, int>? Then { get; set; }

    protected override void OnCompleted(int result)
    {
        Completions++;
        Result = result;
        Then?.Invoke(this, result);
    }
}

/// <summary>A ring on the test's own thread, with what the tests need around it.</summary>
internal sealed class RingFixture : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly List<nint> _memory = [];

    public RingFixture(HostEnvironmentOptions options)
    {
        Environment = HostEnvironment.Create(options);
        Ring = Environment.CreateRing();
        Folder = Directory.CreateTempSubdirectory("spindle-ring-").FullName;
    }

    public IHostEnvironment Environment { get; }
    public IReactorRing Ring { get; }
    public IIoPlatform Io => Environment.Io;
    public string Folder { get; }

    public string PathOf(string name) => Path.Combine(Folder, name);

    public T Own<T>(T disposable) where T : IDisposable
    {
        _owned.Add(disposable);
        return disposable;
    }

    public RingFile NewFile(long length, bool direct = false, string name = "file") =>
        Own(Io.OpenFile(PathOf(name), new FileOpenOptions(Direct: direct, Create: true, CreateLength: length)));

    public unsafe IoVec Buffer(uint length, uint alignment = 4096)
    {
        var memory = NativeMemory.AlignedAlloc(length, alignment);
        NativeMemory.Clear(memory, length);
        _memory.Add((nint)memory);
        return new IoVec(memory, length);
    }

    /// <summary>Drives the ring until the condition holds.</summary>
    public void Until(Func<bool> condition, string what = "the condition", int seconds = 20)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            if (Ring.Poll() == 0) Ring.Sleep(TimeSpan.FromMilliseconds(1));
            Assert.True(watch.Elapsed.TotalSeconds < seconds, $"{what} did not come about in {seconds} s; {Ring.PendingCount} operations pending");
        }
    }

    /// <summary>Runs one operation to its end.</summary>
    public int Run(Func<TestOperation, int> submit)
    {
        var operation = new TestOperation();
        var queued = submit(operation);
        if (queued != 0)
        {
            Assert.Equal(0, operation.Completions);
            return queued;
        }
        Assert.Equal(0, operation.Completions);
        Until(() => operation.Completions > 0, "the completion");
        Assert.Equal(1, operation.Completions);
        Assert.False(operation.IsPending);
        return operation.Result;
    }

    public int Read(RingFile file, IoVec buffer, long offset) => Run(o => Ring.Read(file, [buffer], offset, o));

    public int Write(RingFile file, IoVec buffer, long offset) => Run(o => Ring.Write(file, [buffer], offset, o));

    public (RingSocket Client, RingSocket Server) Connect(EndPoint? endPoint = null)
    {
        using var listener = Io.Listen(endPoint ?? new IPEndPoint(IPAddress.Loopback, 0));
        var accept = new TestOperation();
        Assert.Equal(0, Ring.Accept(listener, accept));
        var connecting = Io.ConnectAsync(listener.LocalEndPoint, TestContext.Current.CancellationToken);
        Until(() => accept.Completions > 0 && connecting.IsCompleted, "the connection");
        Assert.Equal(0, accept.Result);
        return (Own(connecting.Result), Own(accept.Accepted!));
    }

    public void Dispose()
    {
        Ring.Dispose();
        _owned.Reverse();
        foreach (var owned in _owned) owned.Dispose();
        foreach (var memory in _memory)
        {
            unsafe { NativeMemory.AlignedFree((void*)memory); }
        }
        Environment.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
