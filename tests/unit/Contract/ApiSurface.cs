using System.Reflection;

namespace Spindle.UnitTests.Contract;

/// <summary>The public surface of an assembly as text: a line for each type and each member that a plugin can see.</summary>
internal static class ApiSurface
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static List<string> Of(Assembly assembly) => [.. assembly.GetExportedTypes().SelectMany(Lines).Order(StringComparer.Ordinal).Distinct()];

    private static IEnumerable<string> Lines(Type type)
    {
        yield return $"{Name(type)} : {Kind(type)}{Heritage(type)}";
        if (type.IsEnum)
        {
            foreach (string name in Enum.GetNames(type)) yield return $"{Name(type)}.{name} = {Convert.ToInt64(Enum.Parse(type, name)):d}";
            yield break;
        }
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            yield return $"{Name(type)}{Signature(type.GetMethod("Invoke")!)}";
            yield break;
        }
        foreach (var field in type.GetFields(Declared).Where(f => f.IsPublic || f.IsFamily || f.IsFamilyOrAssembly))
            yield return $"{Name(type)}.{field.Name} : {(field.IsLiteral ? $"const {Name(field.FieldType)} = {field.GetRawConstantValue()}" : $"{(field.IsStatic ? "static " : "")}{Name(field.FieldType)}")}";
        foreach (var constructor in type.GetConstructors(Declared).Where(IsVisible)) yield return $"{Name(type)}.new{Parameters(constructor)}{Access(constructor)}";
        // Properties and events are their accessors.
        foreach (var method in type.GetMethods(Declared).Where(IsVisible)) yield return $"{Name(type)}.{method.Name}{Signature(method)}{Modifiers(method)}{Access(method)}";
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Access(MethodBase method) => method.IsPublic ? "" : " protected";

    private static string Modifiers(MethodInfo method) => method.DeclaringType!.IsInterface ? "" :
        method.IsStatic ? " static" : method.IsAbstract ? " abstract" : method.GetBaseDefinition() != method ? " override" : method is { IsVirtual: true, IsFinal: false } ? " virtual" : "";

    private static string Kind(Type type) => type.IsInterface ? "interface" : type.IsEnum ? "enum" : type.IsValueType ? "struct" : typeof(Delegate).IsAssignableFrom(type) ? "delegate"
        : type is { IsAbstract: true, IsSealed: true } ? "static class" : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";

    private static string Heritage(Type type)
    {
        if (type.IsEnum) return $" {Name(Enum.GetUnderlyingType(type))}";
        var from = type.GetInterfaces().Where(i => i.IsVisible).Select(Name).Order(StringComparer.Ordinal).ToList();
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) && parent != typeof(MulticastDelegate)) from.Insert(0, Name(parent));
        return from.Count > 0 ? $" : {string.Join(", ", from)}" : "";
    }

    private static string Signature(MethodInfo method) =>
        $"{(method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(a => a.Name))}>" : "")}{Parameters(method)} -> {Name(method.ReturnType)}";

    private static string Parameters(MethodBase method) => $"({string.Join(", ", method.GetParameters().Select(p =>
        $"{(p.ParameterType.IsByRef ? p.IsOut ? "out " : p.IsIn ? "in " : "ref " : "")}{Name(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? $" = {p.RawDefaultValue ?? "null"}" : "")}"))})";

    private static string Name(Type type)
    {
        if (type.IsByRef || type.IsPointer) return Name(type.GetElementType()!) + (type.IsPointer ? "*" : "");
        if (type.IsArray) return $"{Name(type.GetElementType()!)}[]";
        if (type.IsGenericParameter) return type.Name;
        string name = type.Namespace == "System" ? type.Name : type.FullName ?? $"{type.Namespace}.{type.Name}";
        if (!type.IsGenericType) return name;
        int tick = name.IndexOf('`');
        return $"{(tick < 0 ? name : name[..tick])}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>";
    }
}
