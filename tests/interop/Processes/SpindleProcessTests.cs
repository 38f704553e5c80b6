using System.Runtime.InteropServices;

namespace Spindle.InteropTests.Processes;

/// <summary>The helper that runs Spindle, on a stand-in of a few lines that shares only its command line and its socket.</summary>
public sealed class SpindleProcessTests : IDisposable
{
    readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("spindle-fake-");

    static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Delete(recursive: true);

    /// <summary>A program that answers every call with its own command line, and exits with 5 on SIGTERM.</summary>
    string Fake(string beforeListening = "") => Script(
        $$"""
        #!{{RequiredTool.Find("python3")}}
        import json, os, signal, socket, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), os._exit(5)))
        path = sys.argv[sys.argv.index("--rpc-socket") + 1]
        print("starting", flush=True); print("a warning", file=sys.stderr, flush=True)
        {{beforeListening}}
        if os.path.exists(path): os.unlink(path)
        server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()
        while True:
            client, _ = server.accept()
            while data := client.recv(65536):
                call = json.loads(data)
                client.sendall(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": [call["method"]] + sys.argv[1:]}).encode())
        """);

    string Script(string text)
    {
        var file = Path.Combine(folder.FullName, "fake");
        File.WriteAllText(file, text + "\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
        return file;
    }

    [Fact]
    public async Task It_is_started_called_killed_started_again_and_stopped()
    {
        await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { Program = Fake(), CpuMask = "0x1", Arguments = ["--spin"] }, Ct);
        var echo = await spindle.CallAsync("hello", new { a = 1 }, Ct);
        Assert.Equal(
            ["hello", "run", Path.Combine(Repository.Root, "apps/nvmf_tgt"), "--rpc-socket", spindle.RpcSocket, "--no-config", "--cpumask", "0x1", "--spin"],
            echo.EnumerateArray().Select(word => word.GetString()));
        Assert.Contains("starting", spindle.Output);
        Assert.Contains("a warning", spindle.Output);

        var first = spindle.Id;
        await spindle.KillAsync();
        Assert.True(spindle.HasExited);
        await spindle.StartAgainAsync(Ct);
        Assert.NotEqual(first, spindle.Id);
        Assert.Equal("again", (await spindle.CallAsync("again", ct: Ct))[0].GetString());

        Assert.Equal(5, await spindle.StopAsync(PosixSignal.SIGTERM));
        Assert.Contains("bye", spindle.Output);
    }

    [Fact]
    public async Task A_program_that_ends_at_once_is_reported_with_its_status_and_words()
    {
        var options = new SpindleOptions { Program = Fake("print('port 4420 is taken', flush=True); os._exit(3)") };
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => SpindleProcess.StartAsync(options, Ct));
        Assert.Contains("exit status 3", failure.Message);
        Assert.Contains("port 4420 is taken", failure.Message);
    }

    [Fact]
    public async Task A_program_that_does_not_listen_is_reported_and_ended()
    {
        var options = new SpindleOptions { Program = Fake("time.sleep(1000)"), StartTimeout = TimeSpan.FromSeconds(1) };
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => SpindleProcess.StartAsync(options, Ct));
        Assert.Contains("did not answer", failure.Message);
    }
}
