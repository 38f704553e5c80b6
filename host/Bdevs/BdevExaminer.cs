using System.IO.Enumeration;
using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Modules;

namespace Spindle.Host.Bdevs;

/// <summary>Shows new bdevs to the modules: first without I/O, then, to those that read disks, while nobody has claimed it. On the app thread.</summary>
public sealed class BdevExaminer
{
    private readonly BdevRegistry _registry;
    private readonly ILogger _log;
    private readonly List<BdevModule> _modules = [];
    private readonly HashSet<Task> _running = [];
    private readonly HashSet<string> _allowed = [];

    internal BdevExaminer(BdevRegistry registry, ILogger log)
    {
        _registry = registry;
        _log = log;
    }

    /// <summary>Which bdevs modules may read to find out what is on them; all while it is null. On the app thread; for bdevs that are registered from then on.</summary>
    public Func<Bdev, bool>? MayRead { get; set; }

    /// <summary>Adds a module and shows it the bdevs that are there.</summary>
    public void Add(BdevModule module)
    {
        _modules.Add(module);
        foreach (var bdev in _registry.All) Track(ExamineAsync(bdev, [module]));
    }

    /// <summary>Shows a module no more bdevs.</summary>
    public void Remove(BdevModule module) => _modules.Remove(module);

    /// <summary>Another version of a module is shown new bdevs from now on; those there are it knows.</summary>
    internal void Replace(BdevModule? old, BdevModule? next)
    {
        if (old is not null) _modules.Remove(old);
        if (next is not null) _modules.Add(next);
    }

    /// <summary>The names given to <c>bdev_examine</c>, to be saved with the configuration.</summary>
    public IReadOnlyCollection<string> Requested => _allowed;

    /// <summary>Examines a bdev by name: now if it is there, else when it comes (<c>bdev_examine</c>, with automatic examination off).</summary>
    /// <exception cref="SpindleException">EINVAL: automatic examination is on. EEXIST: asked for before.</exception>
    public void Request(string name)
    {
        if (_registry.Options.AutoExamine) throw new SpindleException(Errno.EINVAL, "Manual examine is not allowed if auto examine is enabled");
        if (!_allowed.Add(name)) throw new SpindleException(Errno.EEXIST, $"Duplicate bdev name for manual examine: {name}");
        if (_registry.Find(name) is { } bdev) Start(bdev);
    }

    /// <summary>A bdev was registered.</summary>
    internal void OnRegistered(Bdev bdev)
    {
        if (_registry.Options.AutoExamine || _allowed.Contains(bdev.Name) || bdev.Aliases.Any(_allowed.Contains)) Start(bdev);
    }

    private void Start(Bdev bdev) => Track(ExamineAsync(bdev, [.. _modules]));

    private void Track(Task task)
    {
        if (task.IsCompleted) return;
        _running.RemoveWhere(static t => t.IsCompleted);
        _running.Add(task);
    }

    private async Task ExamineAsync(Bdev bdev, BdevModule[] modules)
    {
        foreach (var module in modules)
        {
            if (bdev.HostEntry is null) return;
            try
            {
                module.ExamineConfig(bdev);
            }
            catch (Exception exception)
            {
                OnThrew(bdev, module, exception);
            }
        }
        if (bdev.HostEntry is null || BdevRegistry.GetClaim(bdev).Type != BdevClaimType.None) return;
        if (MayRead is { } mayRead && !mayRead(bdev)) return;
        if (DenyingPattern(bdev) is { } pattern)
        {
            _log.LogInformation("What is on bdev {Bdev} is not looked for: bdev_set_options' examine_deny has '{Pattern}'", bdev.Name, pattern);
            return;
        }
        var disks = modules.Where(m => m.ExaminesDisks).Select(m => ExamineDiskAsync(bdev, m)).ToArray();
        await Task.WhenAll(disks);
    }

    private string? DenyingPattern(Bdev bdev)
    {
        string[] names = [bdev.Name, .. bdev.Aliases, bdev.Uuid.ToString()];
        return names.Any(_allowed.Contains) ? null
            : _registry.Options.ExamineDeny.FirstOrDefault(pattern => names.Any(name => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false)));
    }

    private async Task ExamineDiskAsync(Bdev bdev, BdevModule module)
    {
        try
        {
            await module.ExamineDiskAsync(bdev, CancellationToken.None);
        }
        catch (Exception exception)
        {
            OnThrew(bdev, module, exception);
        }
    }

    private void OnThrew(Bdev bdev, BdevModule module, Exception exception)
    {
        _log.LogError("Module {Module} failed to examine bdev {Bdev}: {Text}", module.Name, bdev.Name, exception.ToString());
        // A disk that cannot be read, or whose contents make no sense, is no fault of the module.
        if (exception is not (SpindleException or OperationCanceledException)) _registry.OnModuleFault(module.Name, bdev.Name, "examination", exception.ToString());
    }

    /// <summary>Returns when all examinations, and those they started, have ended.</summary>
    public async Task WaitAsync()
    {
        while (_running.Count > 0)
        {
            await Task.WhenAll(_running.ToArray());
            _running.RemoveWhere(static t => t.IsCompleted);
        }
    }
}
