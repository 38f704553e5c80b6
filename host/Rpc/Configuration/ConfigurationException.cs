namespace Spindle.Host.Rpc.Configuration;

/// <summary>A configuration file cannot be used. The message names the file, line and column, and what would be right.</summary>
public sealed class ConfigurationException(string message) : SpindleException(Spindle.Errno.EINVAL, message);
