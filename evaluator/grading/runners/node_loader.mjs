// Finds modules as bundlers do: without a suffix, and in either of JavaScript's two module systems.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export async function resolve(specifier, context, next) {
  if (specifier.startsWith('.') && context.parentURL) {
    for (const suffix of ['', '.js', '.mjs', '/index.js']) {
      const url = new URL(specifier + suffix, context.parentURL);
      if (/\.\w+$/.test(url.pathname) && existsSync(fileURLToPath(url))) {
        return { url: url.href, shortCircuit: true };
      }
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.js')) return next(url, context);
  const source = readFileSync(fileURLToPath(url), 'utf8');
  const isModule = /^\s*(?:import|export)\b/m.test(source);
  if (!isModule && /\bmodule\.exports\b|\bexports\.\w|\brequire\(/.test(source)) {
    return next(url, { ...context, format: 'commonjs' });
  }
  return { format: 'module', source, shortCircuit: true };
}
