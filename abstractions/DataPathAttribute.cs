namespace Spindle;

/// <summary>Marks a method (or all methods of a type) as part of the data plane: it runs once per I/O or per poll, so it takes no
/// lock, allocates nothing on the managed heap, creates no <see cref="Task"/>, throws nothing and never blocks.</summary>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Constructor)]
public sealed class DataPathAttribute : Attribute;
