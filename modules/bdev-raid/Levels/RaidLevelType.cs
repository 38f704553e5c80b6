namespace Spindle.Bdev.Raid;

/// <summary>A level as it is asked for.</summary>
/// <param name="Name">As RPCs show it, <c>raid1</c> for example.</param>
/// <param name="Alias">Another name by which it can be asked for; empty for none.</param>
/// <param name="Number">As the superblock has it.</param>
/// <param name="LeastMembers">Slots of the smallest array.</param>
/// <param name="LeastOperational">Of so many slots, members without which the array cannot be.</param>
/// <param name="HasStrips">Whether a strip size must be given; otherwise none may be.</param>
/// <param name="Create">Makes what does the I/O of one array. Throws a <see cref="SpindleException"/> for what the level cannot be on.</param>
public sealed record RaidLevelType(string Name, string Alias, uint Number, int LeastMembers, Func<int, int> LeastOperational, bool HasStrips, Func<RaidGeometry, RaidLevel> Create);
