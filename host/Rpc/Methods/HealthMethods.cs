using Spindle.Host.Bdevs;
using Spindle.Host.Hosting;
using Spindle.Host.Memory;
using Spindle.Host.Modules;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>What is wrong. Answered on the caller's thread, so that it is answered while a module holds the app thread.</summary>
internal sealed class HealthMethods(HealthSource source, ModuleHost modules, BdevRegistry bdevs)
{
    [RpcMethod("spindle_get_health", Phase = RpcPhase.Any, Summary = "What is wrong: reactors that hang and by what, faulty modules, I/O that does not complete, memory. Answered even while the app thread hangs.")]
    public HealthReply GetHealth()
    {
        var faults = source.Faults;
        var reactors = faults?.Watchdog.Reactors.Select(r => new ReactorHealth
        {
            Core = (uint)r.Core,
            Hung = r.IsHung,
            HeldMs = (ulong)(r.Now?.Held.TotalMilliseconds ?? 0),
            HeldBy = Hold(r.Now),
            Holds = (ulong)r.Holds,
            LongestMs = (ulong)(r.Longest?.Held.TotalMilliseconds ?? 0),
            LongestBy = Hold(r.Longest),
        }).ToList() ?? [];
        var states = modules.Modules.Select(m => new ModuleHealth
        {
            Name = m.Name,
            Version = m.Manifest.Version.ToString(),
            State = m.State.ToString().ToLowerInvariant(),
            Problem = m.Problem,
            BadCompletions = (ulong)bdevs.BadCompletionsOf(m.Name),
            QuarantinedIos = (ulong)BufferQuarantine.CountOf(m.Context),
        }).ToList();
        var stuck = faults?.Io.Stuck.Select(s => new StuckIoHealth { Bdev = s.Bdev, Module = s.Module, Ios = (ulong)s.Count, OldestMs = (ulong)s.Oldest.TotalMilliseconds, Step = s.Step }).ToList() ?? [];
        var heap = faults?.Watchdog.Heap;
        var memory = new MemoryHealth
        {
            HeapBytes = (ulong)GC.GetTotalMemory(false),
            HeapLimit = (ulong)(heap?.Limit ?? 0),
            Allocators = [.. (heap?.Suspects ?? []).Select(s => new AllocatorHealth { Module = s.Module, What = s.What, BytesPerSecond = (ulong)s.BytesPerSecond })],
            QuarantinedIos = (ulong)BufferQuarantine.Count,
        };
        var held = modules.StillHeld;
        bool hung = reactors.Any(r => r.Hung);
        bool ill = hung || reactors.Any(r => r.HeldMs > 0) || states.Any(m => m.State == "faulty") || stuck.Count > 0 || held.Count > 0
            || (memory.HeapLimit > 0 && memory.HeapBytes > memory.HeapLimit);
        return new HealthReply
        {
            Status = hung ? "hung" : ill ? "degraded" : "ok", Reactors = reactors, Modules = states, StuckIo = stuck, Memory = memory, UnloadedButHeld = held,
        };
    }

    static HoldHealth? Hold(Faults.ReactorHold? hold) => hold is null ? null : new HoldHealth { Module = hold.Module, What = hold.What };
}

[RpcObject]
internal sealed class HealthReply
{
    public string Status { get; init; } = "";

    public IReadOnlyList<ReactorHealth> Reactors { get; init; } = [];

    public IReadOnlyList<ModuleHealth> Modules { get; init; } = [];

    public IReadOnlyList<StuckIoHealth> StuckIo { get; init; } = [];

    public MemoryHealth Memory { get; init; } = new();

    public IReadOnlyList<string> UnloadedButHeld { get; init; } = [];
}

[RpcObject]
internal sealed class ReactorHealth
{
    public uint Core { get; init; }

    public bool Hung { get; init; }

    public ulong HeldMs { get; init; }

    public HoldHealth? HeldBy { get; init; }

    public ulong Holds { get; init; }

    public ulong LongestMs { get; init; }

    public HoldHealth? LongestBy { get; init; }
}

[RpcObject]
internal sealed class HoldHealth
{
    public string Module { get; init; } = "";

    public string What { get; init; } = "";
}

[RpcObject]
internal sealed class ModuleHealth
{
    public string Name { get; init; } = "";

    public string Version { get; init; } = "";

    public string State { get; init; } = "";

    public string? Problem { get; init; }

    public ulong BadCompletions { get; init; }

    public ulong QuarantinedIos { get; init; }
}

[RpcObject]
internal sealed class StuckIoHealth
{
    public string Bdev { get; init; } = "";

    public string Module { get; init; } = "";

    public ulong Ios { get; init; }

    public ulong OldestMs { get; init; }

    public string Step { get; init; } = "";
}

[RpcObject]
internal sealed class MemoryHealth
{
    public ulong HeapBytes { get; init; }

    public ulong HeapLimit { get; init; }

    public IReadOnlyList<AllocatorHealth> Allocators { get; init; } = [];

    public ulong QuarantinedIos { get; init; }
}

[RpcObject]
internal sealed class AllocatorHealth
{
    public string Module { get; init; } = "";

    public string What { get; init; } = "";

    public ulong BytesPerSecond { get; init; }
}
