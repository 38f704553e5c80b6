namespace Spindle.Cli;

/// <summary>How the process ends.</summary>
internal static class ExitCode
{
    /// <summary>As asked.</summary>
    public const int Success = 0;

    /// <summary>Something failed; standard error has it.</summary>
    public const int Failure = 1;

    /// <summary>The command line does not make sense.</summary>
    public const int Usage = 2;
}
