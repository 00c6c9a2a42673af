const refusal = `export async function resolve(name, context, next) {
  if (/^(@slack\\/|bullmq|ioredis)/.test(name)) throw new Error('loaded ' + name);
  return next(name, context);
}`;

/** The environment in which Node runs this code before the program. */
export function preload(code: string): { NODE_OPTIONS: string } {
  return { NODE_OPTIONS: `--import ${toDataUrl(code)}` };
}

/** In which an import of Slack's or the queue's libraries fails. */
export const withoutChatAndQueue = preload(
  `import { register } from 'node:module'; register(${JSON.stringify(toDataUrl(refusal))});`,
);

function toDataUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
