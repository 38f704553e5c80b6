namespace Spindle.Bench.Contenders;

/// <summary>Who is measured.</summary>
public enum Contender
{
    Spindle,
    /// <summary>The build tree that --peer names.</summary>
    Peer,
}
