using Microsoft.Extensions.DependencyInjection;
using Spindle.Bdevs;
using Spindle.Modules;

namespace Acme.Checksum;

/// <summary>The entry class. Every new bdev is read once to see whether it holds a checksum disk, which then comes up by itself.</summary>
public sealed class ChecksumModule : BdevModule
{
    private ChecksumDisks? _disks;

    public override string Name => "acme-checksum";

    public override bool ExaminesDisks => true;

    public override void ConfigureServices(IServiceCollection services)
    {
        services.AddSingleton<ChecksumDisks>();
        services.AddSingleton<ChecksumMethods>();
    }

    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        context.Notifications.RegisterType(ChecksumBdev.Notification);
        _disks = context.Services.GetRequiredService<ChecksumDisks>();
        return Task.CompletedTask;
    }

    public override Task ExamineDiskAsync(Bdev bdev, CancellationToken cancellationToken) => _disks!.ExamineAsync(bdev);
}
