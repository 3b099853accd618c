"""The processes beside a run: its sentinel, the bot; and a person, who needs none."""
