"""What topics and subscriptions are called: the installation's prefix and the topic of ours."""

from shared.domain.messages import Topic


class Names:
    """`prefix` keeps several installations of one project apart."""

    def __init__(self, project: str, prefix: str) -> None:
        self._project, self._prefix = project, prefix

    def topic(self, topic: Topic) -> str:
        return f"projects/{self._project}/topics/{self._prefix}-{topic}"

    def subscription(self, topic: Topic) -> str:
        return f"projects/{self._project}/subscriptions/{self._prefix}-{topic}"

    @property
    def dead_letters(self) -> str:
        return f"projects/{self._project}/topics/{self._prefix}-dead-letters"

    @property
    def dead_letter_subscription(self) -> str:
        return f"projects/{self._project}/subscriptions/{self._prefix}-dead-letters"
