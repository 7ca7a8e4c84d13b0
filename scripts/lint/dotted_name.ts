// How the lint rules read a member expression.

/** `name.property` of a member expression, when both are plain names. */
export function dottedName(node: Deno.lint.MemberExpression): string | undefined {
  if (node.object.type !== "Identifier") return undefined;
  if (node.property.type === "Identifier" && !node.computed) {
    return `${node.object.name}.${node.property.name}`;
  }
  if (node.property.type === "Literal") return `${node.object.name}.${node.property.value}`;
  return undefined;
}
