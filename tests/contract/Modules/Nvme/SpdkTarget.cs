using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Nvme;

/// <summary>SPDK's nvmf_tgt in a process of its own, with one disk in memory. It is found by <c>SPINDLE_PEER_SPDK</c>: nothing of SPDK's belongs to this project.</summary>
public sealed class SpdkTarget : IAsyncDisposable
{
    public const string Nqn = "nqn.2026-11.io.spindle:peer";

    private readonly string _folder = Directory.CreateTempSubdirectory("spindle-peer-").FullName;
    private readonly Queue<string> _lines = new();
    private Process? _process;

    public int Port { get; } = ServedDisks.FreePort();

    public static string Folder
    {
        get
        {
            string? spdk = Environment.GetEnvironmentVariable("SPINDLE_PEER_SPDK");
            if (string.IsNullOrEmpty(spdk)) Assert.Fail("Set SPINDLE_PEER_SPDK to the folder of a built SPDK checkout (git clone -b v26.01 https://github.com/spdk/spdk).");
            return spdk;
        }
    }

    /// <summary>Starts it, on a file that keeps its blocks from one start to the next.</summary>
    public async Task StartAsync(int mebibytes, int blockSize)
    {
        string file = Path.Combine(_folder, "disk");
        if (!File.Exists(file))
        {
            await using var disk = File.Create(file);
            disk.SetLength((long)mebibytes << 20);
        }
        string config = Path.Combine(_folder, "config");
        await File.WriteAllTextAsync(config, $$$"""
            {"subsystems":[
              {"subsystem":"bdev","config":[{"method":"bdev_aio_create","params":{"filename":"{{{file}}}","name":"disk","block_size":{{{blockSize}}},"fallocate":true}},{"method":"bdev_wait_for_examine"}]},
              {"subsystem":"nvmf","config":[
                {"method":"nvmf_create_transport","params":{"trtype":"TCP"}},
                {"method":"nvmf_create_subsystem","params":{"nqn":"{{{Nqn}}}","allow_any_host":true,"serial_number":"PEER"}},
                {"method":"nvmf_subsystem_add_ns","params":{"nqn":"{{{Nqn}}}","namespace":{"nsid":1,"bdev_name":"disk","uuid":"6e1cf7a1-2f0b-4c5f-9a65-6f5b0a11ee02"} } },
                {"method":"nvmf_subsystem_add_listener","params":{"nqn":"{{{Nqn}}}","listen_address":{"trtype":"TCP","adrfam":"IPv4","traddr":"127.0.0.1","trsvcid":"{{{Port}}}"} } }]}]}
            """);
        _process = Process.Start(new ProcessStartInfo(Path.Combine(Folder, "build/bin/nvmf_tgt"), $"--no-huge -s 1024 -m 0x1 --no-pci -c {config} -r {_folder}/sock")
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        for (int i = 0; ; i++)
        {
            Assert.False(_process.HasExited, "nvmf_tgt ended");
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, Port);
                return;
            }
            catch (SocketException) when (i < 600)
            {
                await Task.Delay(50);
            }
        }
    }

    private void Keep(string? line)
    {
        lock (_lines)
        {
            _lines.Enqueue(line ?? "");
            if (_lines.Count > 30) _lines.Dequeue();
        }
    }

    /// <summary>It has not ended by itself.</summary>
    public bool IsRunning => _process is { HasExited: false };

    /// <summary>What it printed last.</summary>
    public string Tail()
    {
        lock (_lines) return string.Join(Environment.NewLine, _lines);
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        if (_process is null) return;
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
