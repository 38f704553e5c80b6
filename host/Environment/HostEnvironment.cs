using Spindle.Host.Environments.Linux;
using Spindle.Host.Environments.Portable;

namespace Spindle.Host.Environments;

/// <summary>Makes the environment.</summary>
public static class HostEnvironment
{
    /// <summary>Makes the environment that suits the machine and the options. What it does without is in <see cref="IHostEnvironment.Fallbacks"/>.</summary>
    /// <exception cref="SpindleException">A ring was asked for by name that is not to be had.</exception>
    public static IHostEnvironment Create(HostEnvironmentOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Portable || !OperatingSystem.IsLinux() ? new PortableEnvironment() : new LinuxEnvironment(options);
    }
}
