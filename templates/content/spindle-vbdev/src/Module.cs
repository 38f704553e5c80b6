using Microsoft.Extensions.DependencyInjection;
using Spindle;
using Spindle.Bdevs;
using Spindle.Modules;
using Spindle.Rpc;

namespace Acme.Fast;

public sealed class Module : BdevModule
{
    public override string Name => "acme-fast";

    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton<Methods>();
}

[RpcObject]
public sealed class CreateParameters
{
    [RpcMember(Required = true)] public string Name { get; set; } = "";
    [RpcMember(Required = true)] public string BaseBdevName { get; set; } = "";
}

[RpcObject]
public sealed class NameParameters
{
    [RpcMember(Required = true)] public string Name { get; set; } = "";
}

public sealed class Methods(IBdevRegistry bdevs)
{
    [RpcMethod("acme_fast_create", Summary = "Put a counting bdev on another bdev; returns its name.")]
    public string Create(CreateParameters p)
    {
        var upper = new Upper(bdevs);
        var lower = bdevs.Open(p.BaseBdevName, write: true, static (type, _, state) => ((Upper)state!).OnBaseEvent(type), upper);
        try
        {
            // Nobody else may write to the base from now on; the claim ends with the descriptor.
            bdevs.Claim(lower, BdevClaimType.ExclusiveWrite);
            bdevs.Register(upper.Bdev = new CountingBdev(p.Name, lower));
        }
        catch
        {
            lower.Close();
            throw;
        }
        return p.Name;
    }

    [RpcMethod("acme_fast_delete", Summary = "Take a counting bdev away; the one below stays.")]
    public Task Delete(NameParameters p) =>
        bdevs.UnregisterAsync(bdevs.Find(p.Name) as CountingBdev ?? throw new SpindleException(Errno.ENODEV, $"There is no Acme.Fast bdev '{p.Name}'."));

    /// <summary>What happens to the base happens to the bdev on it.</summary>
    private sealed class Upper(IBdevRegistry bdevs)
    {
        public CountingBdev? Bdev { get; set; }

        public void OnBaseEvent(BdevEventType type)
        {
            if (Bdev is not { } bdev) return;
            if (type == BdevEventType.Remove) _ = RemoveAsync(bdev);
            else if (type == BdevEventType.Resize) bdevs.Resize(bdev, bdevs.Find(bdev.BaseBdevNames[0])!.BlockCount);
        }

        private async Task RemoveAsync(CountingBdev bdev)
        {
            try
            {
                await bdevs.UnregisterAsync(bdev);
            }
            catch (SpindleException)
            {
                // It is on its way out already.
            }
        }
    }
}
