interface View {
  id: string;
  hash: string;
}

export type Views = ReturnType<typeof createViews>;

/** local-slack gives a view a new id whenever it is updated, and ignores hashes; to the app a view keeps its id. */
export function createViews() {
  const upstreamIds = new Map<string, string>();
  const appIds = new Map<string, string>();
  const hashes = new Map<string, string>();
  const appId = (view: View) => appIds.get(view.id) ?? view.id;
  return {
    upstreamId: (id: unknown): string | undefined => upstreamIds.get(String(id)),
    conflicts: (id: unknown, hash: unknown): boolean => hash !== undefined && hashes.get(String(id)) !== hash,
    /** As the app shall see it. */
    show<Seen extends View>(view: Seen): Seen {
      return { ...view, id: appId(view) };
    },
    opened(view: View): void {
      upstreamIds.set(view.id, view.id);
      hashes.set(view.id, view.hash);
    },
    updated(id: string, view: View): void {
      appIds.set(view.id, id);
      upstreamIds.set(id, view.id);
      hashes.set(id, view.hash);
    },
  };
}
