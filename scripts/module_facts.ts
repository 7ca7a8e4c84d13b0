// What one module exports, and what it takes from others, by the TypeScript parser. It looks at one
// text and resolves nothing; what it cannot follow counts as a use of everything in that module.

import ts from "typescript";

const COMPARISONS: readonly ts.SyntaxKind[] = [
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
];

/** Something that a module exports. */
export interface ExportFact {
  /** The name that others import it by. */
  name: string;
  /** The line of its declaration, from 1. */
  line: number;
  /** Where it is from, if the module only passes it on. */
  from?: UseFact;
}

/** A name that a module takes from another. */
export interface UseFact {
  /** The other module, as the text names it. */
  specifier: string;
  /** The name there; `*` for all of them. */
  name: string;
}

/** What a module has to do with others. */
export interface ModuleFacts {
  exports: ExportFact[];
  /** The modules of `export * from`. */
  stars: string[];
  uses: UseFact[];
  /** Every module named in any form of import, each once. */
  specifiers: string[];
}

/** Reads the exports and uses of a module from its text. */
export function moduleFacts(path: string, source: string): ModuleFacts {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  return new FactReader(file).read();
}

class FactReader {
  readonly #file: ts.SourceFile;
  readonly #identifiers = new Map<string, ts.Identifier[]>();
  readonly #exports: ExportFact[] = [];
  readonly #stars: string[] = [];
  readonly #uses: UseFact[] = [];
  readonly #specifiers = new Set<string>();

  constructor(file: ts.SourceFile) {
    this.#file = file;
    this.#collectIdentifiers(file);
  }

  read(): ModuleFacts {
    for (const statement of this.#file.statements) this.#readStatement(statement);
    this.#readExpressions(this.#file);
    return {
      exports: this.#exports,
      stars: this.#stars,
      uses: this.#uses,
      specifiers: [...this.#specifiers],
    };
  }

  #collectIdentifiers(node: ts.Node): void {
    if (ts.isIdentifier(node)) {
      const same = this.#identifiers.get(node.text);
      if (same === undefined) this.#identifiers.set(node.text, [node]);
      else same.push(node);
    }
    ts.forEachChild(node, (child) => this.#collectIdentifiers(child));
  }

  #readStatement(statement: ts.Statement): void {
    if (ts.isImportDeclaration(statement)) this.#readImport(statement);
    else if (ts.isExportDeclaration(statement)) this.#readExportList(statement);
    else if (ts.isExportAssignment(statement)) this.#addExport("default", statement);
    else if (isExported(statement)) this.#readExported(statement);
  }

  #readImport({ importClause, moduleSpecifier }: ts.ImportDeclaration): void {
    const specifier = this.#addSpecifier(moduleSpecifier);
    if (importClause?.name) this.#addUse(specifier, "default");
    const bindings = importClause?.namedBindings;
    if (bindings === undefined) return;
    if (ts.isNamespaceImport(bindings)) {
      this.#readName(specifier, bindings.name);
      return;
    }
    for (const element of bindings.elements) {
      this.#addUse(specifier, (element.propertyName ?? element.name).text);
    }
  }

  #readExportList({ exportClause, moduleSpecifier }: ts.ExportDeclaration): void {
    const specifier = moduleSpecifier && this.#addSpecifier(moduleSpecifier);
    if (exportClause === undefined) {
      if (specifier !== undefined) this.#stars.push(specifier);
      return;
    }
    if (ts.isNamespaceExport(exportClause)) {
      const from = { specifier: specifier ?? "", name: "*" };
      this.#addExport(exportClause.name.text, exportClause, from);
      return;
    }
    for (const element of exportClause.elements) {
      const from = {
        specifier: specifier ?? "",
        name: (element.propertyName ?? element.name).text,
      };
      this.#addExport(element.name.text, element, specifier === undefined ? undefined : from);
    }
  }

  #readExported(statement: ts.Statement): void {
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) this.#readBinding(name);
    } else if (isDefault(statement)) {
      this.#addExport("default", statement);
    } else if (isNamed(statement)) {
      // Overloads of a function are one export.
      const name = statement.name?.text;
      const isKnown = this.#exports.some((known) => known.name === name);
      if (name !== undefined && !isKnown) this.#addExport(name, statement);
    }
  }

  #readBinding(name: ts.BindingName): void {
    if (ts.isIdentifier(name)) {
      this.#addExport(name.text, name);
      return;
    }
    for (const element of name.elements) {
      if (ts.isBindingElement(element)) this.#readBinding(element.name);
    }
  }

  /** Imports that are expressions or types: `import("...")`. */
  #readExpressions(node: ts.Node): void {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteralLike(argument)) {
        this.#readValue(this.#addSpecifier(argument), node);
      }
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const specifier = this.#addSpecifier(node.argument.literal);
      this.#addUse(specifier, node.qualifier ? firstName(node.qualifier) : "*");
    }
    ts.forEachChild(node, (child) => this.#readExpressions(child));
  }

  /** Follows a node whose value is a module, or a promise of one, to what is taken from it. */
  #readValue(specifier: string, node: ts.Node): void {
    const { parent } = node;
    if (ts.isExpressionStatement(parent) || isCompared(parent)) return;
    if (passesOn(parent, node)) this.#readValue(specifier, parent);
    else if (ts.isPropertyAccessExpression(parent) && parent.expression === node) {
      this.#readProperty(specifier, parent);
    } else if (ts.isVariableDeclaration(parent) && parent.initializer === node) {
      this.#readTarget(specifier, parent.name);
    } else if (ts.isArrowFunction(parent) && parent.body === node) {
      this.#readLoader(specifier, parent);
    } else this.#addUse(specifier, "*");
  }

  /** `module.name`, or `promise.then((module) => ...)`. */
  #readProperty(specifier: string, access: ts.PropertyAccessExpression): void {
    const call = access.parent;
    const isThen = access.name.text === "then" && ts.isCallExpression(call);
    const callback = isThen ? call.arguments[0] : undefined;
    const parameter = callback && ts.isArrowFunction(callback) ? callback.parameters[0] : undefined;
    if (parameter !== undefined) this.#readTarget(specifier, parameter.name);
    else this.#addUse(specifier, isThen ? "*" : access.name.text);
  }

  /** `const load = () => import("...")`: what is taken from the results of its calls. */
  #readLoader(specifier: string, loader: ts.ArrowFunction): void {
    const { parent } = loader;
    if (!ts.isVariableDeclaration(parent) || !ts.isIdentifier(parent.name)) {
      this.#addUse(specifier, "*");
      return;
    }
    for (const use of this.#usesOf(parent.name)) {
      if (ts.isCallExpression(use.parent) && use.parent.expression === use) {
        this.#readValue(specifier, use.parent);
      } else this.#addUse(specifier, "*");
    }
    if (isExported(parent.parent.parent)) this.#addUse(specifier, "*");
  }

  /** What a module, or a promise of one, is bound to: a pattern of names, or one name for all. */
  #readTarget(specifier: string, target: ts.BindingName): void {
    if (ts.isIdentifier(target)) {
      this.#readName(specifier, target);
      return;
    }
    for (const element of target.elements) {
      const key = ts.isBindingElement(element) && !element.dotDotDotToken
        ? element.propertyName ?? element.name
        : undefined;
      this.#addUse(specifier, key && ts.isIdentifier(key) ? key.text : "*");
    }
  }

  /** What is taken from a module by way of a local name that stands for all of it. */
  #readName(specifier: string, name: ts.Identifier): void {
    for (const use of this.#usesOf(name)) {
      const { parent } = use;
      if (ts.isQualifiedName(parent) && parent.left === use) {
        this.#addUse(specifier, parent.right.text);
      } else this.#readValue(specifier, use);
    }
    const declaration = name.parent.parent.parent;
    if (isExported(declaration)) this.#addUse(specifier, "*");
  }

  /** Where a local name is used; a like name of an inner scope counts as well. */
  #usesOf(name: ts.Identifier): ts.Identifier[] {
    const same = this.#identifiers.get(name.text) ?? [];
    return same.filter((other) => other !== name && !isLabel(other));
  }

  #addSpecifier(node: ts.Node): string {
    const specifier = ts.isStringLiteralLike(node) ? node.text : "";
    this.#specifiers.add(specifier);
    return specifier;
  }

  #addUse(specifier: string, name: string): void {
    this.#uses.push({ specifier, name });
  }

  #addExport(name: string, node: ts.Node, from?: UseFact): void {
    const line = this.#file.getLineAndCharacterOfPosition(node.getStart(this.#file)).line + 1;
    this.#exports.push({ name, line, ...(from && { from }) });
  }
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  const modifiers = ts.canHaveModifiers(node) ? ts.getModifiers(node) : undefined;
  return modifiers?.some((modifier) => modifier.kind === kind) ?? false;
}

function isExported(node: ts.Node): boolean {
  return hasModifier(node, ts.SyntaxKind.ExportKeyword);
}

function isDefault(node: ts.Node): boolean {
  return hasModifier(node, ts.SyntaxKind.DefaultKeyword);
}

/** A declaration with a name of its own. */
function isNamed(node: ts.Node): node is ts.Statement & { name?: ts.Identifier } {
  return ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) ||
    ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node);
}

/** Whether the value of a node is that of the node inside it, awaited or not. */
function passesOn(node: ts.Node, inner: ts.Node): boolean {
  if (ts.isConditionalExpression(node)) return node.condition !== inner;
  return ts.isAwaitExpression(node) || ts.isParenthesizedExpression(node) ||
    ts.isNonNullExpression(node);
}

/** Whether an identifier only names a member or declares something of its own: `x.name`. */
function isLabel(identifier: ts.Identifier): boolean {
  const { parent } = identifier;
  if (ts.isShorthandPropertyAssignment(parent) || ts.isExportSpecifier(parent)) return false;
  if (ts.isQualifiedName(parent)) return parent.right === identifier;
  if (ts.isBindingElement(parent) && parent.propertyName === identifier) return true;
  return "name" in parent && parent.name === identifier;
}

/** Whether a node is compared by its parent, which takes nothing from it. */
function isCompared(node: ts.Node): boolean {
  return ts.isBinaryExpression(node) && COMPARISONS.includes(node.operatorToken.kind);
}

function firstName(name: ts.EntityName): string {
  return ts.isIdentifier(name) ? name.text : firstName(name.left);
}
